"""Numbers of lessons that no command of ours makes: figures of papers and sums on paper, with their source."""

SOURCES: dict[int, dict[str, str]] = {
    22: {},
}
