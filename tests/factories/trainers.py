from apps.core.testing import Cast, sample


@sample("trainer", "trainers")
def trainer(cast: Cast) -> str:
    """Name of the trainer that needs no library; trainers belong to the installation."""
    return "reference"
