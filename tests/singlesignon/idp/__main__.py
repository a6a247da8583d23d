import os
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test reads answers."""


def main(folder: Path, port: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(pem)
    os.environ.update(IDP_FOLDER=str(folder), DJANGO_SETTINGS_MODULE="tests.singlesignon.idp.settings")
    from django.core.management import call_command  # import here: after the settings are named
    from django.core.wsgi import get_wsgi_application  # import here: the same

    application = get_wsgi_application()
    call_command("migrate", verbosity=0)
    make_server("127.0.0.1", port, application, Server, Quiet).serve_forever()


main(Path(sys.argv[1]), int(sys.argv[2]))
