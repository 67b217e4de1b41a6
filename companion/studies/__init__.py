"""The steps of single pages: what each computes and keeps, and no drawing."""
