"""Mutations that leave every chain and every table whole: only a signed tree head shows them."""

from eventstore.audit import evidence_verifier, merkle
from eventstore.audit.tree_checks import TREE
from eventstore.core import ids
from tests.audit.mutations import INDEXES as _INDEXES
from tests.audit.mutations import TABLES, Expected, _point_head

OF_TREE = ("tree_leaves", "tree_nodes", "tree_heads")


def mended(store, scene):
    """Make the tables what the events say by now, as somebody would who covers up."""
    del scene
    store.projections.rebuild()


def cut_off(store, scene):
    rows = scene.stream(4, ids.THREAD, lambda rows: _alone(scene, rows))
    scene.hand.delete("events", rows[-1])
    _point_head(scene, rows[-2])
    mended(store, scene)
    return Expected(scene.name(rows[0]), len(rows), {"cut_off"})


def _alone(scene, rows):
    """Return whether a thread may lose events without a trace: no fork, no run, nothing unusual."""
    forks = [bytes(row["data"]) for row in scene.events if row["type"] == "ThreadForked"]
    plain = {"ThreadCreated", "MessageAdded", "MessageEdited", "MessageRegenerated"}
    plain |= {"MessageAmended", "BranchSelected", "ThreadUpdated"}
    key = bytes(rows[0]["stream"])
    return {row["type"] for row in rows[-2:]} <= plain and not any(key in fork for fork in forks)


def rewrite(store, scene):
    """Change the time of an event, and compute every hash behind it anew."""
    rows, _ = _rewritten(scene)
    mended(store, scene)
    return Expected(scene.name(rows[0]), len(rows), {"altered"})


def _rewritten(scene):
    rows = scene.stream(4, ids.THREAD, lambda rows: _alone(scene, rows))
    changed = [{**row, "recorded_at": row["recorded_at"] - 5} for row in rows]
    forged = scene.rehash(changed)
    for before, after in zip(rows, forged, strict=True):
        made = {name: after[name] for name in ("recorded_at", "hash")}
        scene.hand.update("events", before, **made)
    _point_head(scene, forged[-1])
    return rows, forged


def rewrite_with_its_leaf(store, scene):
    rows, forged = _rewritten(scene)
    _forge_leaf(scene, rows[-1], forged[-1])
    mended(store, scene)
    return Expected(TREE, None, {"altered"})


def _forge_leaf(scene, row, forged):
    where = "tenant = ? AND category = ? AND stream = ?"
    leaves = scene.hand.rows("tree_leaves", where, row["tenant"], row["category"], row["stream"])
    leaf = max(leaves, key=lambda one: one["version"])
    scene.hand.update("tree_leaves", leaf, hash=forged["hash"])
    return leaf


def rewrite_with_the_whole_tree(store, scene):
    """Compute leaves, nodes and roots anew, too: only the head that was kept elsewhere differs."""
    rows, forged = _rewritten(scene)
    _forge_leaf(scene, rows[-1], forged[-1])
    names = dict(scene.hand.all("SELECT id, name FROM tenants"))
    leaves = sorted(scene.hand.rows("tree_leaves"), key=lambda one: one["number"])
    hashes = [
        merkle.leaf_hash(
            evidence_verifier.leaf_of(
                names[one["tenant"]], scene.name(one), one["version"], one["hash"]
            )
        )
        for one in leaves
    ]
    nodes = dict(merkle.appended([], 0, hashes))
    for (level, number), made in nodes.items():
        sql = "UPDATE tree_nodes SET hash = ? WHERE level = ? AND number = ?"
        scene.hand.run(sql, made, level, number)
    for head in scene.hand.rows("tree_heads"):
        root = merkle.root_of(lambda level, number: nodes[level, number], head["size"])
        # signed by a key of their own: they do not have ours
        scene.hand.update("tree_heads", head, root=root, signature=bytes(64), key_id="0" * 16)
    mended(store, scene)
    return Expected(TREE, len(leaves), {"altered"})


def purge_unsaid(store, scene):
    """Remove a thread from every table, as if it had never been."""
    del store
    rows = scene.stream(3, ids.THREAD, lambda rows: _alone(scene, rows))
    key = rows[0]["stream"]
    for table in ("events", "streams", "blobs", "idempotency_keys"):
        scene.hand.run(f"DELETE FROM {table} WHERE stream = ?", key)
    for table in (*TABLES, *_INDEXES, "leases"):
        scene.hand.run(f"DELETE FROM {table} WHERE thread = ?", key)
    return Expected(scene.name(rows[0]), len(rows), {"cut_off"})


def replace_signature(store, scene):
    del store
    head = scene.hand.rows("tree_heads")[0]
    scene.hand.update("tree_heads", head, signature=scene.flipped(head["signature"]))
    return Expected(TREE, head["size"], {"altered"})


def lose_leaf(store, scene):
    del store
    leaf = scene.hand.rows("tree_leaves")[1]
    scene.hand.delete("tree_leaves", leaf)
    return Expected(TREE, leaf["number"] + 1, {"missing"})


def lose_last_leaf(store, scene):
    del store
    leaf = max(scene.hand.rows("tree_leaves"), key=lambda one: one["number"])
    scene.hand.delete("tree_leaves", leaf)
    return Expected(TREE, leaf["number"] + 1, {"cut_off"})


def add_leaf(store, scene):
    del store
    leaf = max(scene.hand.rows("tree_leaves"), key=lambda one: one["number"])
    scene.hand.insert("tree_leaves", {**leaf, "number": leaf["number"] + 1})
    return Expected(TREE, leaf["number"] + 2, {"inserted"})


def lose_node(store, scene):
    del store
    node = scene.chance.choice(scene.hand.rows("tree_nodes"))
    scene.hand.delete("tree_nodes", node)
    return Expected(TREE, None, {"altered"})


def flip_in_tree(table, column):
    def act(store, scene):
        del store
        row = scene.chance.choice(scene.hand.rows(table))
        changed = -1 if column in {"number", "level"} else scene.flipped(row[column])
        scene.hand.update(table, row, **{column: changed})
        found = {"altered", "missing", "cut_off", "inserted", "reordered"}
        return Expected(None, None, found)

    return act


TREE_MUTATIONS = {
    "cut_off": cut_off,
    "rewrite": rewrite,
    "rewrite_with_its_leaf": rewrite_with_its_leaf,
    "rewrite_with_the_whole_tree": rewrite_with_the_whole_tree,
    "purge_unsaid": purge_unsaid,
    "replace_signature": replace_signature,
    "lose_leaf": lose_leaf,
    "lose_last_leaf": lose_last_leaf,
    "add_leaf": add_leaf,
    "lose_node": lose_node,
    **{
        f"flip_{table}_{column}": flip_in_tree(table, column)
        for table, columns in {
            "tree_leaves": ("number", "stream", "version", "hash"),
            "tree_nodes": ("level", "number", "hash"),
            "tree_heads": ("size", "root", "issued_at", "signature"),
        }.items()
        for column in columns
    },
}
