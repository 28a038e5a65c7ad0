"""Stores of all kinds: see stores.py."""
import os

import stores
from case import limit


def told(t, sets):
    said = []
    bad = stores.run_all(t.world.build, sets, say=said.append)
    assert bad == 0, "%d steps went other than expected:\n%s" % (
        bad,
        "\n".join(said),
    )


@limit(240)
def test_stores_each(t):
    """Each trait by itself; the manual has the same table."""
    stores.check_page(t.world.build)
    told(t, stores.each(t.world.build))


@limit(240)
def test_stores_pairs(t):
    """Each pair of traits, several at a time."""
    told(t, stores.covering(t.world.build, 1))
