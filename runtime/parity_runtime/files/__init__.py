"""Files and folders on disk: read with limits, written whole or not at all, locked by one process at a time."""
