"""llama.cpp's own server on a GGUF file, from the package xllamacpp: `python llamacpp_server.py FILE PORT`."""

from __future__ import annotations

import sys
import threading


def main(file: str, port: str) -> None:
    """Serves until it is ended."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.port = int(port)
    params.n_parallel = 4
    params.n_ctx = 4 * 1024
    params.kv_unified = False
    params.cpuparams.n_threads = 1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
