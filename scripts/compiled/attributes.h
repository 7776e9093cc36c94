/* Reads and writes fields of records as fast as CPython's own interpreter does.

   A record is a `msgspec.Struct`, whose fields lie at fixed offsets; code of mypyc looks each up by
   its name and type every time. Here each place in the code remembers for one type and name where
   the field lies, as `LOAD_ATTR_SLOT` of the interpreter (PEP 659). The version of a type, which
   no other type ever has and which any change of the type takes away, says whether that is still
   right. All else goes the slow way. */

#ifndef PEGBOARD_ATTRIBUTES_H
#define PEGBOARD_ATTRIBUTES_H

#include <Python.h>
#include "CPy.h"

#ifndef Py_GIL_DISABLED

typedef struct {
    unsigned int version; /* 0 is the version of types that changed. */
    Py_ssize_t offset;
    PyObject *name; /* Owned: no other string may come to its address. */
} PegPlace;

PyObject *peg_read_slowly(PegPlace *place, PyObject *object, PyObject *name);
int peg_write_slowly(PegPlace *place, PyObject *object, PyObject *name, PyObject *value);

static inline PyObject **
peg_find(const PegPlace *place, PyObject *object, PyObject *name)
{
    if (likely(Py_TYPE(object)->tp_version_tag == place->version && place->name == name)) {
        return (PyObject **)((char *)object + place->offset);
    }
    return NULL;
}

static inline PyObject *
peg_read(PegPlace *place, PyObject *object, PyObject *name)
{
    PyObject **found = peg_find(place, object, name);
    if (likely(found != NULL && *found != NULL)) {
        Py_INCREF(*found);
        return *found;
    }
    return peg_read_slowly(place, object, name);
}

static inline int
peg_write(PegPlace *place, PyObject *object, PyObject *name, PyObject *value)
{
    PyObject **found = peg_find(place, object, name);
    if (likely(found != NULL && value != NULL)) {
        PyObject *old = *found;
        Py_INCREF(value);
        *found = value;
        Py_XDECREF(old);
        return 0;
    }
    return peg_write_slowly(place, object, name, value);
}

#undef CPyObject_GetAttr
#define CPyObject_GetAttr(object, name)               \
    ({                                                \
        static PegPlace place_ = {0, 0, NULL};        \
        peg_read(&place_, (object), (name));          \
    })
#define PyObject_SetAttr(object, name, value)         \
    ({                                                \
        static PegPlace place_ = {0, 0, NULL};        \
        peg_write(&place_, (object), (name), (value)); \
    })

#endif
#endif
