"""Where certificates come from: the host says, and nothing is fetched because a caller's header names an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from kyc_verify.errors import ConfigurationError, UsageError
from kyc_verify.signals.stir import chain, passport
from kyc_verify.signals.stir.chain import Material, Validated
from kyc_verify.signals.stir.reasons import Refusal

__all__ = ["Certificates", "Chain", "TrustedCertificates", "lookup"]

_KEPT: Final = 256
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A certificate as it was published, and what to trust it under.

    Attributes:
        certificates: The signing certificate first, then each one's issuer: PEM, DER or read already.
        anchors: The roots that are trusted; the chain must lead to one of them.
    """

    certificates: Material | Sequence[Material]
    anchors: Material | Sequence[Material]

    def __post_init__(self) -> None:
        for name in ("certificates", "anchors"):
            several = _several(getattr(self, name))
            if several is None:
                msg = f"Chain.{name} must be certificates in PEM or DER, or read already"
                raise UsageError(msg)
            # As octets, which are hashed once: what was validated before is found again at every call.
            octets = [one.public_bytes(Encoding.DER) if isinstance(one, x509.Certificate) else one for one in several]
            object.__setattr__(self, name, tuple(octets))


class Certificates(Protocol):
    """A provider of certificates.

    Attributes:
        hosts: Whose addresses are answered for; a token that names another host fails.
    """

    hosts: Collection[str]

    def get(self, x5u: str) -> Chain | Material | Sequence[Material] | ec.EllipticCurvePublicKey | None:
        """Return the chain that is published there, with what it is trusted under; None when there is none now.

        What comes back without a `Chain` around it is taken at the provider's word: its last certificate is trusted.
        It must not take longer than a call can wait, and it leaves out what has been revoked.
        """
        ...


class TrustedCertificates:
    """Certificates from listed hosts, trusted under listed roots: what `verify_identity` is best given.

    Args:
        hosts: The hosts whose addresses a token may name, exactly (``cr.example.com``).
        anchors: The trusted roots, as the policy administrator of the region publishes them: PEM, DER or read already.
        source: Returns what is published at an address, the signing certificate first; None when it has nothing.
            It is asked only for addresses on these hosts, each time: keeping what was fetched, and leaving out what
            was revoked, is its business.

    Raises:
        ConfigurationError: no host or one that is not a host's name, or no anchor.
    """

    def __init__(
        self,
        *,
        hosts: Collection[str],
        anchors: Material | Sequence[Material],
        source: Callable[[str], Material | Sequence[Material] | None],
    ) -> None:
        given: object = hosts
        names = tuple(given) if isinstance(given, Collection) and not isinstance(given, str) else ()
        if not names or not all(isinstance(name, str) and _HOST.match(name.lower()) for name in names):
            msg = "hosts must be names of hosts, without scheme or path"
            raise ConfigurationError(msg)
        try:
            roots = chain.read(_several(anchors) or ())
        except Refusal:
            roots = []
        if not roots:
            msg = "anchors must be certificates in PEM or DER"
            raise ConfigurationError(msg)
        asked: object = source
        if not callable(asked):
            msg = "source must be callable with an address"
            raise ConfigurationError(msg)
        self.hosts: Collection[str] = frozenset(name.lower() for name in names)
        self._anchors = roots
        self._source = source
        # The same octets are the same chain: made once, however many calls come under it.
        self._chain = lru_cache(maxsize=_KEPT)(self._chain_of)

    def get(self, x5u: str) -> Chain | None:
        """Return what the source has for an address, with the anchors; nothing for another host's."""
        if passport.host(x5u) not in self.hosts:
            return None
        given = self._source(x5u)
        if given is None:
            return None
        return self._chain(given) if isinstance(given, Material) else self._chain_of(given)

    def _chain_of(self, given: Material | Sequence[Material]) -> Chain:
        return Chain(certificates=given, anchors=self._anchors)


Provider = Certificates | Mapping[str, Any] | Callable[[str], Any]
"""What `verify_identity` takes: a provider, certificates by address, or a function of the address."""


def lookup(certificates: Provider | None, x5u: str) -> Validated:
    """Return what is trusted for an address.

    Raises:
        Refusal: nothing is, or what the provider returned cannot be trusted.
        UsageError: it is not a provider at all.
    """
    given = _asked(certificates, x5u)
    if isinstance(given, Chain):
        return chain.validated(given.certificates, given.anchors)
    if isinstance(given, ec.EllipticCurvePublicKey):
        return chain.vouched_key(given)
    if given is None:
        raise Refusal("no_certificate")
    if hasattr(given, "__await__"):
        # Closed so that nothing waits for it; whoever awaits must do so before verifying.
        getattr(given, "close", lambda: None)()
        raise Refusal("source_failed")
    several = _several(given)
    if several is None:
        raise Refusal("certificate_malformed")
    return chain.vouched(several)


def _asked(certificates: object, x5u: str) -> object:
    if certificates is None:
        return None
    # A mapping's own `get` would say of what it lacks that there is none now.
    ask = certificates.__getitem__ if isinstance(certificates, Mapping) else getattr(certificates, "get", certificates)
    if not callable(ask):
        msg = "certificates must be a provider, a mapping of addresses, or a function of the address"
        raise UsageError(msg)
    hosts = getattr(certificates, "hosts", None)
    try:
        if hosts is None or passport.host(x5u) in hosts:
            return ask(x5u)
    except LookupError:
        if hosts is not None:
            # Its host is on the list: this is an outage, not a stranger.
            raise Refusal("no_certificate") from None
    except Exception:  # noqa: BLE001 - whatever a provider raises, there is no certificate
        raise Refusal("source_failed") from None
    raise Refusal("x5u_not_allowed")


def _several(given: object) -> tuple[Material, ...] | None:
    """Return one or several as a tuple whose members can be told apart quickly; None when they are something else."""
    if isinstance(given, Material):
        return (given,)
    if isinstance(given, bytearray | memoryview):
        return (bytes(given),)
    if not isinstance(given, Iterable):
        return None
    members = tuple(bytes(one) if isinstance(one, bytearray | memoryview) else one for one in given)
    return members if members and all(isinstance(one, Material) for one in members) else None
