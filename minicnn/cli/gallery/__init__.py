"""The page of pictures that `minicnn demo` writes: a module a room of it, and the page itself."""
