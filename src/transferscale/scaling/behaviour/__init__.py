"""How scores change under corruption, attack, at other sites and datasets, and while other tasks are learned."""
