"""Portal pages of datasets: lists and creation, one dataset, uploads."""
