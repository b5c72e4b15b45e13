"""How fast this machine tags, beside the time that the products of the model take alone."""
