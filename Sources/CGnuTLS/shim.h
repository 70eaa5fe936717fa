#pragma once
#include <gnutls/gnutls.h>
#include <gnutls/dtls.h>
#include <gnutls/x509.h>
#include <gnutls/abstract.h>

// gnutls_free is a variable holding a function pointer, which Swift 6 refuses as shared mutable state.
static inline void cgnutls_free(void *pointer) { gnutls_free(pointer); }
