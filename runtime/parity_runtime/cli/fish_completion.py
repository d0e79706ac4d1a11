"""What fish shows of a command or an option beside its name."""

from click.shell_completion import FishComplete, add_completion_class


class WholeDescriptions(FishComplete):
    """click's own script splits an answer at every comma, and so cuts descriptions at their first."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


def show_whole_descriptions() -> None:
    """Let fish be given this script."""
    add_completion_class(WholeDescriptions)
