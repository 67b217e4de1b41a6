"""The steps of single pages: what each computes and stores, without plotting."""
