"""The version, in its one place: the build, the CLI and every report read it here."""

__version__ = "0.2.0"
