"""The order of I/O, once, for the sync and the async front.

Theory of operation. Every verb is a coroutine over a `Runner`. `AsyncRunner` awaits; `SyncRunner` calls plain functions
and never suspends, so the sync front steps the coroutine once (`run_sync`) and fails loudly if it suspends all the
same. A flow reads, decides in the pure core, and writes, in this order:

1. ``begin`` claims the turn and takes its charge: visible to every process before anything is compared.
2. The answer is compared: one slow hash, whoever the subject is.
3. ``commit`` writes outcome, reply, next question, grant and audit record together.
4. Only then is anything sent, and the `Step` returned: what is released is recorded.

A fault before 3 leaves a spent try; a fault in 3 leaves a spent try or a committed one, which the same challenge id
sent again finds. Nothing outside improves a score by failing.
"""
