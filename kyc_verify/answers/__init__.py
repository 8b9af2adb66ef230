"""What counts as the same answer: short ladders of canonical forms, coarse to fine.

Only keyed hashes of forms are ever stored, so tolerance has to live in the forms: two variants that share
the coarse form are near, two that share the fine form are the same. Every function here is pure, total and
bounded: length is checked before any work.
"""

from kyc_verify.answers.forms import Clarify, Forms, Refused

__all__ = ["Clarify", "Forms", "Refused"]
