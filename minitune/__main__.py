import sys

from minitune.commands.cli import main

sys.exit(main())
