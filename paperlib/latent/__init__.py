"""Stable Diffusion through diffusers (``pip install 'paperlib[latent]'``): a denoiser of latents that the same methods
and samplers take, and the way back into diffusers' layout."""
