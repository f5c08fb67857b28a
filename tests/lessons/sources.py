"""Numbers of lessons that no command of ours makes: figures of papers and sums on paper, with their source."""

SOURCES: dict[int, dict[str, str]] = {
    3: {
        "15%": "Devlin et al. 2019, section 3.1",
        "30%": "Warner et al. 2024, ModernBERT: the share of masked tokens",
        "40%": "Wettig et al. 2023, Should You Mask 15%",
        "1.8": "110 million parameters of 16 bytes",
    },
    22: {},
}
