"""Numbers of lessons that no command of ours makes: figures of papers and sums on paper, with their source."""

SOURCES: dict[int, dict[str, str]] = {
    2: {
        "1.69": "Hoffmann et al. 2022, arXiv 2203.15556, the fit of approach 3",
        "0.8": "settings of the examples in practice and in a question",
    },
    3: {
        "15%": "Devlin et al. 2019, section 3.1",
        "30%": "Warner et al. 2024, ModernBERT: the share of masked tokens",
        "40%": "Wettig et al. 2023, Should You Mask 15%",
        "1.8": "110 million parameters of 16 bytes",
    },
    22: {},
}
