"""Machine unlearning in diffusion models: SGU, VDU and EraseDiff, reproduced."""
