/** Key pairs, canonical encoding, signatures, owner documents, name resolution and trust. @packageDocumentation */
export {}
