"""The ledger against a model of it: two claimants that may be stopped for any time, and clocks that jump."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test
from sqlalchemy import delete, update

from consumer.message import database, schema
from consumer.message.ledger import Claim, Elsewhere, Ledger, Settled

if TYPE_CHECKING:
    from hypothesis.stateful import MultipleResults
    from sqlalchemy import Engine

RETENTION, LEASE = 1000.0, 90.0


@dataclass
class Model:
    """What a row should be; `free_at`, `gone_at` and `key_at` (another may have the key) are of the model's clock."""

    fence: int = 0
    failures: int = 0
    state: str = ""
    message_id: str = ""
    free_at: float = 0
    gone_at: float = 0
    key_at: float = 0
    done_before: str = ""  # the message that was done before this one had the key


class Machine(RuleBasedStateMachine):
    """Claims and closes in any order, by whoever holds any claim that was ever given."""

    engine: Engine
    claims: Bundle[Claim] = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(schema.ledger))
        self.ledger = Ledger(self.engine, "orders", RETENTION)
        self.model = Model()
        self.time = 0.0
        self.successes = 0

    @rule(seconds=st.sampled_from([10, 89.5, 91, 300, 1001]))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds
        row = schema.ledger.c
        with self.engine.begin() as connection:
            connection.execute(
                update(schema.ledger).values(
                    {
                        "claimed_until": row.claimed_until - seconds,
                        "expires": row.expires - seconds,
                        "key_until": row.key_until - seconds,
                    }
                )
            )

    @rule(target=claims, message_id=st.sampled_from(["m1", "m2", "m3"]))
    def claim(self, message_id: str) -> Claim | MultipleResults[Claim]:
        model, answer = self.model, self.ledger.claim("k", message_id, "d", LEASE, uuid.uuid4().hex)
        gone = model.fence == 0 or self.time >= max(model.gone_at, model.free_at)
        if not gone and message_id == model.done_before:
            assert answer == Settled("done", message_id, "d", "")
            return multiple()
        another = message_id != model.message_id
        redriven = another and (model.state == "dead" or (model.state == "done" and self.time >= model.key_at))
        if not gone and not redriven:
            if model.state in {"done", "dead"}:
                assert answer == Settled(model.state, model.message_id, "d", answer.reason)  # type: ignore[union-attr]
                return multiple()
            if self.time < model.free_at:
                assert isinstance(answer, Elsewhere)
                assert answer.seconds == pytest.approx(model.free_at - self.time, abs=5)
                return multiple()
        failures = 0 if gone or redriven else model.failures
        assert isinstance(answer, Claim)
        assert (answer.fence, answer.failures) == (model.fence + 1, failures)
        before = "" if gone else model.message_id if model.state == "done" else model.done_before
        until = self.time + LEASE, self.time + RETENTION
        self.model = Model(model.fence + 1, failures, "open", message_id, *until, done_before=before)
        return answer

    def is_newest(self, claim: Claim) -> bool:
        return claim.fence == self.model.fence

    def is_held(self, claim: Claim) -> bool:
        return self.is_newest(claim) and self.model.free_at > 0 and self.model.state == "open"

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        held = self.is_held(claim)
        assert self.ledger.renew(claim, LEASE) == (self.is_newest(claim) and self.model.state == "open")
        if held:
            self.model.free_at = self.time + LEASE

    @rule(claim=claims)
    def release(self, claim: Claim) -> None:
        assert self.ledger.release(claim) == (self.is_newest(claim) and self.model.state == "open")
        self.freed(claim)

    @rule(claim=claims)
    def fail(self, claim: Claim) -> None:
        held = self.is_held(claim)
        assert self.ledger.failed(claim, "down") == (self.is_newest(claim) and self.model.state == "open")
        self.freed(claim)
        self.model.failures += held

    @rule(claim=claims)
    def bury(self, claim: Claim) -> None:
        self.end(claim, "dead", self.ledger.dead(claim, "no"))

    @rule(claim=claims, ttl=st.sampled_from([None, 200.0]))
    def finish(self, claim: Claim, ttl: float | None) -> None:
        if self.is_held(claim):
            self.model.key_at = self.time + (ttl or RETENTION)
        self.end(claim, "done", self.ledger.done(claim, ttl=ttl))

    def end(self, claim: Claim, state: str, accepted: bool) -> None:  # noqa: FBT001 - the answer
        assert accepted == (self.is_newest(claim) and (self.is_held(claim) or self.model.state == state))
        if self.is_held(claim):
            self.model.state, self.model.gone_at = state, self.time + RETENTION
            self.freed(claim)

    def freed(self, claim: Claim) -> None:
        if self.is_newest(claim):
            self.model.free_at = 0


def test_the_ledger_does_as_its_model_whatever_happens_in_whatever_order(database_url: str) -> None:
    engine = database.engine(database_url, 1)
    schema.migrate(engine)
    machine = type("OnThisDatabase", (Machine,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # to shrink would take longer than anybody waits
        ),
    )
    engine.dispose()
