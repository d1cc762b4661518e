"""Jobs on several nodes: rendezvous, peers, ports."""
