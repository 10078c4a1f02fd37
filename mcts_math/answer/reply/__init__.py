"""What a model wrote: where in it the final answer stands."""
