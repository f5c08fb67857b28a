"""Speed and memory on the machine at hand, as ratios taken in one run."""
