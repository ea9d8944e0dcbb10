"""Later steps of the authority's schema; `store` applies them in order."""

from typing import Final

LIFE_CYCLE: Final = """
ALTER TABLE authorization ADD COLUMN parent TEXT;
ALTER TABLE authorization ADD COLUMN replaced_by TEXT;
ALTER TABLE authorization ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE authorization ADD COLUMN reconfirmed_at INTEGER;
ALTER TABLE authorization ADD COLUMN expiry_told INTEGER NOT NULL DEFAULT 0;
CREATE INDEX authorization_by_end ON authorization (expires_at) WHERE expiry_told = 0;
CREATE TABLE proposal (
    digest TEXT PRIMARY KEY, token TEXT NOT NULL, bank TEXT NOT NULL, certificate TEXT NOT NULL,
    enterprise TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'rejected', 'expired')),
    respond_by INTEGER NOT NULL, received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX proposal_open ON proposal (enterprise, bank) WHERE state = 'pending';
CREATE INDEX proposal_open_of_bank ON proposal (bank) WHERE state = 'pending';
CREATE INDEX proposal_by_end ON proposal (respond_by) WHERE state = 'pending';
CREATE TABLE event (
    position INTEGER PRIMARY KEY AUTOINCREMENT, bank TEXT NOT NULL, sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL UNIQUE, token TEXT NOT NULL, UNIQUE (bank, sequence)
) STRICT;
CREATE TABLE event_acknowledgement (
    bank TEXT PRIMARY KEY, sequence INTEGER NOT NULL, token TEXT NOT NULL, received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE delegation (
    enterprise TEXT NOT NULL, thumbprint TEXT NOT NULL, pem BLOB NOT NULL, powers TEXT NOT NULL, name TEXT NOT NULL,
    not_after INTEGER NOT NULL, made_at INTEGER NOT NULL, ended_at INTEGER, PRIMARY KEY (enterprise, thumbprint)
) STRICT, WITHOUT ROWID;
CREATE TABLE delegate_act (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, enterprise TEXT NOT NULL, thumbprint TEXT NOT NULL, name TEXT NOT NULL,
    at INTEGER NOT NULL, act TEXT NOT NULL, about TEXT NOT NULL
) STRICT;
CREATE INDEX delegate_act_by_enterprise ON delegate_act (enterprise, sequence);
CREATE TABLE objection (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, enterprise TEXT NOT NULL, sealed BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'upheld', 'dismissed', 'repaired', 'withdrawn')),
    opened_at INTEGER NOT NULL, decided_at INTEGER, objection_id TEXT NOT NULL UNIQUE, transferred_at INTEGER,
    reply BLOB, noticed INTEGER NOT NULL DEFAULT 0, change INTEGER NOT NULL
) STRICT;
INSERT INTO objection (sequence, enterprise, sealed, state, opened_at, decided_at, objection_id, change)
    SELECT sequence, enterprise, sealed, state, opened_at, decided_at, lower(hex(randomblob(16))), sequence
    FROM dispute;
DROP TABLE dispute;
ALTER TABLE objection RENAME TO dispute;
CREATE INDEX dispute_by_enterprise ON dispute (enterprise);
CREATE INDEX dispute_by_change ON dispute (change);
CREATE TABLE row_state (
    enterprise TEXT PRIMARY KEY, change INTEGER NOT NULL, revision TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX row_state_by_change ON row_state (change);
INSERT INTO row_state SELECT enterprise, max(change), lower(hex(randomblob(16))) FROM dispute GROUP BY enterprise;
CREATE TABLE overlay (
    enterprise TEXT PRIMARY KEY, snapshot TEXT NOT NULL, change INTEGER NOT NULL, cells BLOB NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE assessment ADD COLUMN revision TEXT NOT NULL DEFAULT ''
"""
"""Narrowing, reminders, banks' requests, events, delegates; objections with both sides; rows changed since a snapshot.

`dispute` is made anew because its states were checked by the table. What it held before acts at once from now on."""

OUTREACH: Final = """
CREATE TABLE disclosure (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, disclosure_id TEXT NOT NULL UNIQUE, enterprise TEXT NOT NULL,
    bank TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('white_list', 'alert')), basis TEXT NOT NULL,
    centibits INTEGER NOT NULL CHECK (centibits > 0), total_centibits INTEGER NOT NULL CHECK (total_centibits >= 0),
    charged_at INTEGER NOT NULL, snapshot TEXT NOT NULL, as_of TEXT NOT NULL
) STRICT;
CREATE INDEX disclosure_by_enterprise ON disclosure (enterprise, bank, charged_at);
CREATE INDEX disclosure_by_basis ON disclosure (basis);
CREATE VIEW charged AS
    SELECT enterprise, bank, centibits, centibits AS total_centibits, charged_at FROM assessment
    UNION ALL SELECT enterprise, bank, centibits, total_centibits, charged_at FROM disclosure;
CREATE TABLE white_list_opt_in (
    enterprise TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('in', 'out')), document TEXT NOT NULL,
    scorecard TEXT NOT NULL, not_after INTEGER NOT NULL, issued_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE white_list_opt_in_bank (
    enterprise TEXT NOT NULL REFERENCES white_list_opt_in (enterprise), bank TEXT NOT NULL,
    PRIMARY KEY (enterprise, bank)
) STRICT, WITHOUT ROWID;
CREATE VIEW white_list_opted_in AS
    SELECT o.enterprise, o.document, o.scorecard, o.not_after, b.bank FROM white_list_opt_in o
    JOIN white_list_opt_in_bank b ON b.enterprise = o.enterprise WHERE o.state = 'in';
CREATE TABLE white_list_demand (
    document TEXT PRIMARY KEY, enterprise TEXT NOT NULL, shown_id TEXT NOT NULL, first_id TEXT NOT NULL,
    twin_id TEXT NOT NULL, version INTEGER NOT NULL, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    closed INTEGER NOT NULL CHECK (closed IN (0, 1))
) STRICT;
CREATE INDEX white_list_demand_by_enterprise ON white_list_demand (enterprise, closed, expires_at);
CREATE TABLE white_list_closing (
    enterprise TEXT NOT NULL, demand_id TEXT NOT NULL, PRIMARY KEY (enterprise, demand_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE white_list_subscription (
    bank TEXT PRIMARY KEY, reader TEXT NOT NULL, version INTEGER NOT NULL, issued_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE white_list_standing (
    bank TEXT NOT NULL, enterprise TEXT NOT NULL, basis TEXT NOT NULL, good INTEGER NOT NULL CHECK (good IN (0, 1)),
    told_at INTEGER NOT NULL, listed INTEGER NOT NULL CHECK (listed IN (0, 1)), withdrawn_at INTEGER,
    PRIMARY KEY (bank, enterprise)
) STRICT, WITHOUT ROWID;
CREATE TABLE white_list_told (
    enterprise TEXT NOT NULL, basis TEXT NOT NULL, PRIMARY KEY (enterprise, basis)
) STRICT, WITHOUT ROWID;
CREATE TABLE watch (
    authorization TEXT PRIMARY KEY REFERENCES authorization (digest), bank TEXT NOT NULL, enterprise TEXT NOT NULL,
    reader TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'ended')), reason TEXT NOT NULL,
    issued_at INTEGER NOT NULL, alerts INTEGER NOT NULL, snapshot TEXT NOT NULL, checked_at INTEGER NOT NULL,
    looked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX watch_by_bank ON watch (bank);
CREATE INDEX watch_by_state ON watch (state, looked_at);
CREATE TABLE alert (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, alert_id TEXT NOT NULL UNIQUE,
    authorization TEXT NOT NULL REFERENCES watch (authorization), made_at INTEGER NOT NULL, sealed TEXT NOT NULL
) STRICT;
"""
"""What is told besides scores: white lists, watches and alerts, and their charges."""

TRANSPARENCY: Final = """
CREATE TABLE log_entry (position INTEGER PRIMARY KEY, subject TEXT NOT NULL UNIQUE, salt BLOB NOT NULL) STRICT;
CREATE TABLE log_node (
    level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_seal (
    only INTEGER PRIMARY KEY CHECK (only = 1), size INTEGER NOT NULL, root BLOB NOT NULL, sealed_at INTEGER NOT NULL,
    token TEXT NOT NULL
) STRICT;
CREATE TABLE acknowledgement (
    document TEXT PRIMARY KEY, enterprise TEXT NOT NULL, sequence INTEGER NOT NULL, token TEXT NOT NULL,
    UNIQUE (enterprise, sequence)
) STRICT;
CREATE TABLE status_list (number INTEGER PRIMARY KEY, made_at INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE TABLE status_entry (
    number INTEGER NOT NULL REFERENCES status_list (number), position INTEGER NOT NULL,
    authorization TEXT NOT NULL UNIQUE REFERENCES authorization (digest), PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;
"""
"""The log with its seals, acknowledgements, and the places of authorizations in status lists."""
