"""The tables whose rows belong to a thread, said once more than in the schema."""

OF_THREADS = frozenset(
    {
        "tombstones",
        "threads",
        "messages",
        "segments",
        "branch_points",
        "runs",
        "leases",
        "steps",
        "labels",
        "touches",
        "snapshots",
        "thread_metadata",
        "external_ids",
    }
)
