"""Signing in, by the enterprise's own key or by a passkey, and what a signed-in account does with itself.

A challenge is spent and a failure counted in a transaction of its own, before anything is verified or raised: what was
tried stays noted whatever comes after.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlmodel import Session
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.reasons import Reason
from xinyidai.signing import DocumentError, VerifyingKey, read_unverified
from xinyidai.statements import SIGN_IN_TYPE, SignIn, parse_sign_in

from server.accounts import lockout, passkeys, staff
from server.accounts.challenges import ChallengeKind, MadeFor, make_challenge, spend_challenge
from server.accounts.errors import RateLimited, SignInFailed
from server.accounts.events import AccountNote, events_of, latest_events, note
from server.accounts.models import AccountEvent, AccountEventKind, AccountRole, Passkey
from server.accounts.passkeys import Site
from server.accounts.rules import AccountRules
from server.accounts.sessions import (
    Principal,
    close_session,
    close_sessions_of,
    open_session,
    use_session,
)
from server.db import Database
from server.enterprises.service import key_thumbprint_of

_MOST_ACCOUNT: Final = 63
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request brings besides its body."""

    address: str
    token: str | None
    """Of the session it came with, if any."""


class AccountDesk:
    def __init__(
        self, database: Database, registrar: TrustAnchor, site: Site, rules: AccountRules, clock: Callable[[], int]
    ) -> None:
        self._database = database
        self._registrar = registrar
        self.site = site
        self.rules = rules
        self.clock = clock

    async def principal(self, token: str) -> Principal:
        """Raises `SessionMissing`."""
        return await self._database.change("use session", use_session, token, self.clock(), self.rules)

    async def challenge(self) -> str:
        """For signing in with the enterprise's key: the nonce to sign."""
        return await self._make(ChallengeKind.SIGN_IN, MadeFor())

    async def sign_in_with_key(self, raw: str, caller: Caller) -> str:
        """A session's token, for a document `sign-in+jwt` of a registered enterprise. Raises `SignInFailed`,
        `RateLimited`."""
        claimed, nonce = _claimed(raw)
        key = lockout.failure_key("key", claimed, caller.address)
        await self._begin(key, ChallengeKind.SIGN_IN, MadeFor(), nonce, AccountRole.ENTERPRISE, claimed, caller)

        def work(session: Session) -> str:
            document, thumbprint = self._verified(raw)
            if key_thumbprint_of(session, document.enterprise) != thumbprint:
                raise SignInFailed
            return self._open(session, AccountRole.ENTERPRISE, document.enterprise, "key", key, caller)

        return await self._finish(work, key, AccountRole.ENTERPRISE, claimed, caller)

    def _verified(self, raw: str) -> tuple[SignIn, str]:
        """Raises `SignInFailed`."""
        now = self.clock()
        try:
            signed = verify_with_chain(raw, SIGN_IN_TYPE, self._registrar, datetime.fromtimestamp(now, UTC))
            document = parse_sign_in(signed.claims)
            document.stamp.check_time(now)
        except DocumentError as error:
            raise SignInFailed from error
        if self.site.rp_id not in document.stamp.audience or signed.identity.name != document.enterprise:
            raise SignInFailed
        return document, VerifyingKey.of_certificate(signed.certificate).thumbprint

    async def passkey_options(self) -> Any:
        challenge = await self._make(ChallengeKind.SIGN_IN, MadeFor())
        return passkeys.authentication_options(self.site, challenge)

    async def sign_in_with_passkey(self, untrusted: dict[str, Any], caller: Caller) -> tuple[str, AccountRole]:
        """A session's token and whose it is. Raises `SignInFailed`, `RateLimited`."""
        challenge = passkeys.challenge_of(untrusted)
        claimed = passkeys.credential_id_of(untrusted)
        key = lockout.failure_key("passkey", claimed, caller.address)
        known = await self._database.read(passkeys.find_passkey, claimed)
        role, holder = (known.role, known.holder) if known else ("", "")
        await self._begin(key, ChallengeKind.SIGN_IN, MadeFor(), challenge, role, holder, caller)

        def work(session: Session) -> tuple[str, AccountRole]:
            count = passkeys.check_assertion(self.site, untrusted, challenge, known)
            if known is None:
                raise SignInFailed
            owner = AccountRole(known.role)
            if owner is not AccountRole.ENTERPRISE and not staff.staff_enabled(session, owner, known.holder):
                raise SignInFailed
            passkeys.note_use(session, known, count, self.clock())
            return self._open(session, owner, known.holder, "passkey", key, caller), owner

        return await self._finish(work, key, role, holder, caller)

    async def new_passkey_options(self, principal: Principal) -> Any:
        made_for = MadeFor(principal.role, principal.holder)
        challenge = await self._make(ChallengeKind.ADD_PASSKEY, made_for)
        known = await self._database.read(passkeys.passkeys_of, principal.role, principal.holder)
        ids = [one.credential_id for one in known]
        return passkeys.registration_options(self.site, principal.role, principal.holder, challenge, ids)

    async def add_passkey(self, principal: Principal, untrusted: dict[str, Any], label: str, address: str) -> None:
        """Raises `SignInFailed`, `NotAllowed`."""
        challenge = passkeys.challenge_of(untrusted)
        made_for = MadeFor(principal.role, principal.holder)
        await self._spend(ChallengeKind.ADD_PASSKEY, made_for, challenge)
        new = passkeys.check_registration(self.site, untrusted, challenge)

        def work(session: Session) -> None:
            passkeys.keep_passkey(session, principal.role, principal.holder, label, new, self.clock())
            self._note(session, AccountEventKind.ADD_PASSKEY, principal.role, principal.holder, address)

        await self._database.change("add passkey", work)

    async def remove_passkey(self, principal: Principal, credential_id: str, address: str) -> None:
        def work(session: Session) -> None:
            if passkeys.remove_passkey(session, principal.role, principal.holder, credential_id):
                self._note(session, AccountEventKind.REMOVE_PASSKEY, principal.role, principal.holder, address)

        await self._database.change("remove passkey", work)

    async def passkeys(self, principal: Principal) -> list[Passkey]:
        return await self._database.read(passkeys.passkeys_of, principal.role, principal.holder)

    async def enrolment_options(self, role: AccountRole, staff_id: str, code: str, caller: Caller) -> Any:
        """For the holder of an enrolment code, which is not spent yet. Raises `SignInFailed`, `RateLimited`."""
        staff_id = staff_id[:_MOST_ACCOUNT]
        key = lockout.failure_key("enrol", f"{role} {staff_id}", caller.address)

        def work(session: Session) -> str:
            lockout.check_not_locked(session, key, self.clock())
            staff.check_code(session, role, staff_id, code, self.clock())
            made_for = MadeFor(role, staff_id)
            return make_challenge(session, ChallengeKind.ENROL, made_for, self.clock(), self.rules.challenge)

        challenge = await self._finish(work, key, role, staff_id, caller)
        return passkeys.registration_options(self.site, role, staff_id, challenge, [])

    async def enrol(
        self, role: AccountRole, staff_id: str, code: str, untrusted: dict[str, Any], label: str, caller: Caller
    ) -> str:
        """Spend the code for a passkey, and sign in. Raises `SignInFailed`, `NotAllowed`, `RateLimited`."""
        staff_id = staff_id[:_MOST_ACCOUNT]
        key = lockout.failure_key("enrol", f"{role} {staff_id}", caller.address)
        challenge = passkeys.challenge_of(untrusted)
        await self._begin(key, ChallengeKind.ENROL, MadeFor(role, staff_id), challenge, role, staff_id, caller)

        def work(session: Session) -> str:
            new = passkeys.check_registration(self.site, untrusted, challenge)
            staff.spend_code(session, role, staff_id, code, self.clock())
            passkeys.keep_passkey(session, role, staff_id, label, new, self.clock())
            self._note(session, AccountEventKind.ADD_PASSKEY, role, staff_id, caller.address)
            return self._open(session, role, staff_id, "enrolment", key, caller)

        return await self._finish(work, key, role, staff_id, caller)

    async def sign_out(self, principal: Principal, caller: Caller, *, everywhere: bool = False) -> None:
        def work(session: Session) -> None:
            if everywhere:
                close_sessions_of(session, principal.role, principal.holder)
            elif caller.token is not None:
                close_session(session, caller.token)
            self._note(session, AccountEventKind.SIGN_OUT, principal.role, principal.holder, caller.address)

        await self._database.change("sign out", work)

    async def note_read(self, principal: Principal, what: str, address: str) -> None:
        """Before a page or list is shown that only this role may see."""
        event = AccountNote(AccountEventKind.READ, principal.role, principal.holder, address=address, detail=what[:256])
        await self._database.change("note read", note, event, self.clock())

    async def events(self, principal: Principal) -> list[AccountEvent]:
        return await self._database.read(events_of, principal.role, principal.holder)

    async def latest_events(self) -> list[AccountEvent]:
        """Of everybody: for operators."""
        return await self._database.read(latest_events)

    async def _make(self, kind: ChallengeKind, made_for: MadeFor) -> str:
        return await self._database.change(
            "make challenge", make_challenge, kind, made_for, self.clock(), self.rules.challenge
        )

    async def _spend(self, kind: ChallengeKind, made_for: MadeFor, challenge: str) -> None:
        await self._database.change("spend challenge", spend_challenge, kind, made_for, challenge, self.clock())

    async def _begin(
        self, key: str, kind: ChallengeKind, made_for: MadeFor, challenge: str, role: str, holder: str, caller: Caller
    ) -> None:
        def work(session: Session) -> None:
            lockout.check_not_locked(session, key, self.clock())
            spend_challenge(session, kind, made_for, challenge, self.clock())

        await self._finish(work, key, role, holder, caller)

    async def _finish(
        self, work: Callable[[Session], Result], key: str, role: str, holder: str, caller: Caller
    ) -> Result:
        """One transaction; a failure of it is counted and noted in another one."""
        try:
            return await self._database.change("sign in", work)
        except (SignInFailed, RateLimited) as error:
            await self._database.change("note failure", self._failed, key, role, holder, caller.address, error.reason)
            raise

    def _failed(self, session: Session, key: str, role: str, holder: str, address: str, reason: Reason) -> None:
        # What is tried while locked neither prolongs the lock nor tells anything.
        if reason is Reason.SIGN_IN_FAILED:
            lockout.note_failure(session, key, self.clock(), self.rules)
        self._note(session, AccountEventKind.SIGN_IN, role, holder, address, str(reason))

    def _open(self, session: Session, role: AccountRole, holder: str, method: str, key: str, caller: Caller) -> str:
        lockout.forget_failures(session, key)
        self._note(session, AccountEventKind.SIGN_IN, role, holder, caller.address)
        return open_session(session, role, holder, method, caller.token, self.clock(), self.rules)

    def _note(
        self, session: Session, kind: AccountEventKind, role: str, holder: str, address: str, outcome: str = "OK"
    ) -> None:
        note(session, AccountNote(kind, role, holder[:_MOST_ACCOUNT], outcome, address), self.clock())


def _claimed(raw: str) -> tuple[str, str]:
    """Whose sign-in an untrusted document says it is, and to which challenge. Raises `SignInFailed`."""
    try:
        document = parse_sign_in(read_unverified(raw))
    except DocumentError as error:
        raise SignInFailed from error
    return document.enterprise, document.stamp.nonce
