"""How a provider is asked over HTTP: within one time limit, over TLS, once where twice would do harm.

Theory of operation. An `Operation` is pure: it makes the request and reads the reply. `ask` is the one order of I/O,
a coroutine over a `Wire`; the async fronts await it, the sync ones step it once over a wire that never suspends. What
goes wrong is a `Failure`, a value: it becomes an exception only in the outermost frame, so that no traceback has a
number, a token or a code among its locals.

A connection serves one request. Nothing is kept open: no stale connection makes it doubtful whether a code was sent,
and threads, forks and event loops share nothing.
"""
