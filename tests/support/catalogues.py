"""Small catalogues of one category, as the YAML a data holder writes."""


def one_category(code: str, *, fields: str, features: str, rules: str = "") -> str:
    """`fields`, `features`: entries of YAML lists, each line indented by two; `rules`: a whole member, or none."""
    return f"""
code: {code}-1
version: "1"
title: {{zh: "x", en: "x"}}
provenance: "x"
{rules.strip()}
common_fields:
  - {{name: uscc, type: str, evidence: P}}
  - {{name: source_dept, type: str, evidence: P}}
  - {{name: record_id, type: str, evidence: P}}
  - {{name: recv_time, type: datetime, evidence: P}}
  - {{name: data_month, type: yyyymm, evidence: P}}
categories:
- code: {code}
  title: {{zh: "x", en: "x"}}
  holders: ["x"]
  provenance: "x"
  cadence: "monthly"
  lag_months: 0
  sensitivity: S1
  sharing: compute
  evidence: P
  fields:
{fields.strip(chr(10))}
  features:
{features.strip(chr(10))}
"""
