"""A process of a race: does its jobs over a store that others use at the same time, and says how each ended.

Reads the policy and the jobs, says ``ready``, waits for ``go``. A job is a verb of the verifier with its arguments.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kyc_verify import Call, KycVerifyError, NotVerified, Policy, Secret, Step
from kyc_verify.hashing import Keyring, Verified
from kyc_verify.stores import SQLiteStore
from kyc_verify.testing import Bench, CheapHasher


class Counting(CheapHasher):
    """Counts the answers that were compared with something stored."""

    __slots__ = ("compared",)

    def verify(self, credential: Any, forms: Any, **about: Any) -> Verified:
        if credential is not None:
            self.compared += 1
        return super().verify(credential, forms, **about)

    def code_matches(self, tag: str, code: Any, **about: Any) -> bool:
        if about["purpose"] != "try":
            self.compared += 1
        return super().code_matches(tag, code, **about)


def main() -> None:
    store = SQLiteStore(sys.argv[1])
    policy, jobs = Policy.from_json(sys.stdin.readline()), json.loads(sys.stdin.readline())
    hasher = Counting(Keyring({"test": bytes(range(32))}))
    hasher.compared = 0
    bench = Bench(policy, store=store, hasher=hasher, facts={})
    if bench.seeds is not None:
        bench.seeds[bench.subject] = Secret(os.environ["KYC_RACE_SEED"])

    def do(job: dict[str, Any]) -> dict[str, Any]:
        call = Call(**({"id": bench.call.id, "agent": bench.call.agent, "number": bench.call.number} | job["call"]))
        try:
            found = getattr(bench.verifier, job["verb"])(*job["args"], call=call, **job["more"])
        except KycVerifyError as error:
            return {"error": type(error).__name__, "reason": getattr(error, "reason", ""), "job": job["args"]}
        assert isinstance(found, Step)
        try:
            token = found.require().token
        except NotVerified:
            token = ""
        return {"verdict": found.verdict.value, "step": found.as_dict(), "grant": token, "job": job["args"]}

    print("ready", flush=True)  # noqa: T201 - how it talks to the race
    sys.stdin.readline()
    with ThreadPoolExecutor(int(sys.argv[2])) as threads:
        found = list(threads.map(do, jobs))
    if found:
        found[0] |= {"compared": hasher.compared, "sent": len(bench.sender.messages)}
    print(json.dumps(found))  # noqa: T201 - as above


if __name__ == "__main__":
    main()
