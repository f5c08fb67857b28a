# %% [markdown]
# # Lesson 1, more: what must be true of the toy world
#
# **Belongs to** lesson 1. **To run:** about 2 minutes on one CPU core. **Writes** `01-world.json`; the lesson prints some
# of its rows.
#
# All that every world is measured against (`minitune data --prove`), for five worlds: the one that the shipped
# models have read, and four others.

# %%
from minitune.course.lessons import is_fast, save_result
from minitune.world.proofs import prove, report

found: dict[str, list[float]] = {}
for seed in range(1 if is_fast() else 5):
    checks = prove(seed, documents=500) if is_fast() else prove(seed)
    for check in checks:
        found.setdefault(check.name, []).append(check.measured)
    print(f"world {seed}\n{report(checks)}\n", flush=True)
save_result(found, "01-world.json")
