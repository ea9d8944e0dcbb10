"""Requests made from the published OpenAPI document, good and bad alike: none makes the server fail."""

from contextlib import suppress
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from tests.support.platform import PlatformUnderTest

EXAMPLES = 12
"""Of each operation and mode."""


def test_no_request_that_the_schema_leads_to_makes_the_server_fail(platform: PlatformUnderTest) -> None:
    schema = schemathesis.openapi.from_dict(platform.http.get("/v1/openapi.json").json())
    session = requests.Session()
    session.trust_env = False
    root = str(platform.bare.deployment.anchor("platform"))
    seen: set[int] = set()
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 15
    for operation in operations:
        for mode in GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def attempt(case: Any) -> None:
                answer = case.call(base_url=platform.rest_url, session=session, verify=root)
                seen.add(answer.status_code)
                assert answer.status_code < 500, (case.method, case.path, answer.text)

            # An operation without parameters has no request that breaks its schema.
            with suppress(Unsatisfiable):
                attempt()
    session.close()
    assert {200, 400} <= seen
