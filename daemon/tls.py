"""The certificate of the HTTP port."""

import ssl

from config.schema_http import Tls


class CertificateError(Exception):
    """The certificate or its key can't be used."""


def server_context(tls: Tls) -> ssl.SSLContext:
    """A context that shows the certificate in these files.  Raises CertificateError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    show(context, tls)
    return context


def show(context: ssl.SSLContext, tls: Tls) -> None:
    """From now on the context shows new clients the certificate in these files.  Raises CertificateError.

    Check the files with a context of their own first: one that fails is left without a usable certificate.
    """
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise CertificateError(f"the certificate or its key can't be used: {error}") from None
