"""``python -m kyc_verify.cli`` is ``kyc-verify``."""

from kyc_verify.cli import main

raise SystemExit(main())
