"""Machine unlearning in diffusion models: reproductions of SGU, VDU and EraseDiff."""
