"""From records to rows of token ids: row formats, masks of the loss, packing, worker processes."""
