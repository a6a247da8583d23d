"""Avatar names: what a person is called until they say otherwise."""

import secrets

ADJECTIVES = (
    "amber azure bold brave bright brisk calm candid clever coral cosmic crisp eager fair fleet gentle golden "
    "happy humble ivory jade keen kind lively lucid lunar mellow merry mint noble polar proud quick quiet rapid "
    "rosy serene sharp silver sincere solar steady stellar sturdy sunny swift teal tidy vivid warm wise witty"
).split()
NOUNS = (
    "acorn anchor arrow aspen badger beacon birch bison canyon cedar comet compass condor coral crane delta "
    "dolphin ember falcon fern fjord fox gecko glacier harbor hawk heron ibis juniper kestrel lantern lark lynx "
    "magnet maple meadow meteor orbit osprey otter panda pebble pine plover prism quartz raven reef river robin "
    "sparrow spruce summit tiger tundra walnut willow wren"
).split()


def avatar_name() -> str:
    """An adjective-noun-number such as `brisk-otter-482`."""
    return f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}-{secrets.randbelow(900) + 100}"
