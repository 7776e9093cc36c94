/* The slow ways of `attributes.h`, which find out whether there is a fast one. */

#include <Python.h>
#include <structmember.h>

#ifndef Py_GIL_DISABLED

typedef struct {
    unsigned int version;
    Py_ssize_t offset;
    PyObject *name;
} PegPlace;

/* The field of a type that a plain pointer holds, or NULL. */
static PyMemberDef *
field_of(PyTypeObject *type, PyObject *name)
{
    PyObject *found = _PyType_Lookup(type, name);
    if (found == NULL || !Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        return NULL;
    }
    PyMemberDescrObject *descriptor = (PyMemberDescrObject *)found;
    if (descriptor->d_member->type != T_OBJECT_EX ||
        !PyType_IsSubtype(type, descriptor->d_common.d_type)) {
        return NULL;
    }
    return descriptor->d_member;
}

static void
remember(PegPlace *place, PyTypeObject *type, PyObject *name)
{
    PyMemberDef *field = field_of(type, name);
    if (field != NULL && PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG) &&
        type->tp_version_tag != 0) {
        Py_INCREF(name);
        Py_XSETREF(place->name, name);
        place->offset = field->offset;
        place->version = type->tp_version_tag;
    }
}

/* Whether a write of a field does nothing but store: a `msgspec.Struct` that is not frozen, which
   the garbage collector never looks at, and which no `__setattr__` of its own guards. */
static int
stores_plainly(PyTypeObject *type)
{
    static PyObject *setter_name = NULL;
    if (setter_name == NULL && (setter_name = PyUnicode_InternFromString("__setattr__")) == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyObject *setter = _PyType_Lookup(type, setter_name);
    if (PyType_IS_GC(type) || setter == NULL || !Py_IS_TYPE(setter, &PyWrapperDescr_Type)) {
        return 0;
    }
    int plainly = 0;
    PyObject *config = PyObject_GetAttrString((PyObject *)type, "__struct_config__");
    if (config != NULL) {
        PyObject *frozen = PyObject_GetAttrString(config, "frozen");
        plainly = frozen == Py_False;
        Py_XDECREF(frozen);
        Py_DECREF(config);
    }
    PyErr_Clear();
    return plainly;
}

PyObject *
peg_read_slowly(PegPlace *place, PyObject *object, PyObject *name)
{
    if (Py_TYPE(object)->tp_getattro == PyObject_GenericGetAttr) {
        remember(place, Py_TYPE(object), name);
    }
    return PyObject_GetAttr(object, name);
}

int
peg_write_slowly(PegPlace *place, PyObject *object, PyObject *name, PyObject *value)
{
    if (stores_plainly(Py_TYPE(object))) {
        remember(place, Py_TYPE(object), name);
    }
    return PyObject_SetAttr(object, name, value);
}

#endif
