"""Stable Diffusion through diffusers (``pip install 'paperlib[latent]'``): a denoiser of latents for the same methods
and samplers, and the conversion back to diffusers' layout."""
