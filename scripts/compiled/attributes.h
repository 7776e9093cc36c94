/* Reads and writes fields of records, and reads globals, as fast as CPython's own interpreter does.

   A record is a `msgspec.Struct`, whose fields lie at fixed offsets; code of mypyc looks each up by
   its name and type every time. Here each place in the code remembers for a name and some types
   where the field lies, as `LOAD_ATTR_SLOT` of the interpreter (PEP 659). The version of a type,
   which no other type ever has and which any change of the type takes away, says whether that is
   still right. All else goes the slow way. */

#ifndef PEGBOARD_ATTRIBUTES_H
#define PEGBOARD_ATTRIBUTES_H

#include <Python.h>
#include "CPy.h"

#ifndef Py_GIL_DISABLED

#define PEG_TYPES 4
#define PEG_NOWHERE 0

typedef struct {
    unsigned int version; /* 0 is that of types that changed, and of places nothing was put in. */
    int offset;           /* PEG_NOWHERE for what goes the slow way, as for the version 0. */
} PegField;

typedef struct {
    PyObject *name; /* Owned: no other string may come to its address. */
    PegField fields[PEG_TYPES];
    unsigned int oldest;
} PegPlace;

PyObject *peg_read_slowly(PegPlace *place, PyObject *object, PyObject *name);
int peg_write_slowly(PegPlace *place, PyObject *object, PyObject *name, PyObject *value);

/* What is remembered of a type, or NULL. */
static inline const PegField *
peg_find(const PegPlace *place, PyObject *object, PyObject *name)
{
    const unsigned int version = Py_TYPE(object)->tp_version_tag;
    if (likely(place->name == name)) {
        for (const PegField *field = place->fields; field < place->fields + PEG_TYPES; field++) {
            if (field->version == version) {
                return field;
            }
        }
    }
    return NULL;
}

static inline PyObject *
peg_read(PegPlace *place, PyObject *object, PyObject *name)
{
    const PegField *field = peg_find(place, object, name);
    if (likely(field != NULL)) {
        if (unlikely(field->offset == PEG_NOWHERE)) {
            return PyObject_GetAttr(object, name);
        }
        PyObject *found = *(PyObject **)((char *)object + field->offset);
        if (likely(found != NULL)) {
            Py_INCREF(found);
            return found;
        }
    }
    return peg_read_slowly(place, object, name);
}

static inline int
peg_write(PegPlace *place, PyObject *object, PyObject *name, PyObject *value)
{
    const PegField *field = peg_find(place, object, name);
    if (likely(field != NULL && field->offset != PEG_NOWHERE && value != NULL)) {
        PyObject **found = (PyObject **)((char *)object + field->offset);
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
        static PegPlace place_;                       \
        peg_read(&place_, (object), (name));          \
    })
#define PyObject_SetAttr(object, name, value)         \
    ({                                                \
        static PegPlace place_;                       \
        peg_write(&place_, (object), (name), (value)); \
    })

/* The version of a dictionary, which no other ever has, says whether a global is still the same;
   a place whose dictionary changes all the time is no read of a global. */
#if PY_VERSION_HEX < 0x030C0000

#define PEG_CHANGES 64

typedef struct {
    uint64_t version;
    PyObject *key;   /* Owned. */
    PyObject *value; /* Of the dictionary, which owns it as long as the version is the same. */
    int changes;
} PegGlobal;

PyObject *peg_get_item_slowly(PegGlobal *place, PyObject *dict, PyObject *key);

static inline PyObject *
peg_get_item(PegGlobal *place, PyObject *dict, PyObject *key)
{
    if (likely(place->changes < PEG_CHANGES)) {
        if (likely(PyDict_CheckExact(dict) && place->key == key &&
                   ((PyDictObject *)dict)->ma_version_tag == place->version)) {
            Py_INCREF(place->value);
            return place->value;
        }
        return peg_get_item_slowly(place, dict, key);
    }
    return CPyDict_GetItem(dict, key);
}

#define CPyDict_GetItem(dict, key)                \
    ({                                            \
        static PegGlobal place_;                  \
        peg_get_item(&place_, (dict), (key));     \
    })

#endif
#endif
#endif
