"""Where departments deliver: a process of its own, beside the scoring process, which stays without a network."""
