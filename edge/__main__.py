"""`python -m edge`: the `respire-edge` command from a checkout."""

from edge.cli import main

raise SystemExit(main())
