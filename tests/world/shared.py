"""What the tests of the world share: a world a seed, made once; to look at, not to change."""

from functools import cache

from minitune.world.world import World


@cache
def world_of(seed: int) -> World:
    return World(seed)
