"""Stores of all kinds: see stores.py. The program is the copy that all tests
use: the build may change meanwhile."""
import stores
from case import limit


def told(t, sets):
    said = []
    bad = stores.run_all(t.world.directory, sets, say=said.append)
    assert bad == 0, "%d steps went other than expected:\n%s" % (
        bad,
        "\n".join(said),
    )


@limit(240)
def test_stores_each(t):
    """Each trait by itself; the manual has the same table."""
    stores.check_page(t.world.directory)
    told(t, stores.each(t.world.directory))


@limit(240)
def test_stores_pairs(t):
    """Each pair of traits, several at a time."""
    told(t, stores.covering(t.world.directory, 1))
