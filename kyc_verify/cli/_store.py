"""``kyc-verify store migrate URL`` and ``kyc-verify store check URL``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from kyc_verify.cli._load import Misuse
from kyc_verify.errors import MissingExtraError

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other type

__all__ = ["add"]


def add(commands: _Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("store", help="make or check the tables in your database", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="verb")
    for name, told, run in (
        ("migrate", "bring the tables to this version; again does nothing", _migrate),
        ("check", "say whether the tables are of this version", _check),
    ):
        verb = verbs.add_parser(name, help=told, description=told)
        verb.add_argument("url", metavar="URL", help="as SQLAlchemy writes it: postgresql+psycopg://user@host/database")
        verb.set_defaults(run=run)


def _engine(url: str) -> Any:  # noqa: ANN401 - an Engine, whose library may not be there
    """Return an engine for a URL.

    Raises:
        Misuse: it is none, or its driver is not installed; the message never shows the password.
    """
    try:
        from sqlalchemy import create_engine  # noqa: PLC0415 - an extra
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError  # noqa: PLC0415
        from sqlalchemy.pool import NullPool  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("sql", error.name or "sqlalchemy") from error
    try:
        return create_engine(url, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ValueError):
        msg = "this is no address of a database; write one as postgresql+psycopg://user@host/database"
        raise Misuse(msg) from None
    except ImportError as error:
        msg = f"the driver {error.name!r} of this address is not installed"
        raise Misuse(msg) from None


def _migrate(options: argparse.Namespace) -> int:
    from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415 - an extra

    version = SQLAlchemyStore.migrate(_engine(options.url))
    sys.stdout.write(f"the schema has version {version}\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    from kyc_verify.stores import SQLAlchemyStore  # noqa: PLC0415 - an extra

    SQLAlchemyStore(_engine(options.url)).close()
    sys.stdout.write("the schema is of this version\n")
    return 0
