"""The catalogue of trainers: what each says of itself, its settings form, and the check of settings."""
