/* The slow ways of `attributes.h`, which find out whether there is a fast one. */

#include "attributes.h"

#include <structmember.h>

#undef PyObject_SetAttr
#undef CPyDict_GetItem

#ifndef Py_GIL_DISABLED

/* The field of a type that a plain pointer holds, or NULL. */
static PyMemberDef *
field_of(PyTypeObject *type, PyObject *name)
{
    PyObject *found = _PyType_Lookup(type, name);
    if (found == NULL || !Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        return NULL;
    }
    PyMemberDescrObject *descriptor = (PyMemberDescrObject *)found;
    PyMemberDef *field = descriptor->d_member;
    if (field->type != T_OBJECT_EX || field->flags & READONLY || field->offset > INT_MAX ||
        !PyType_IsSubtype(type, descriptor->d_common.d_type)) {
        return NULL;
    }
    return field;
}

/* Note where a field lies, if `directly` it may be read or written there, or that it may not. */
static void
remember(PegPlace *place, PyTypeObject *type, PyObject *name, int directly)
{
    PyMemberDef *member = field_of(type, name);
    if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG) || type->tp_version_tag == 0) {
        return;
    }
    if (place->name != name) {
        Py_INCREF(name);
        Py_XSETREF(place->name, name);
        memset(place->fields, 0, sizeof place->fields);
    }
    PegField *field = &place->fields[place->oldest++ % PEG_TYPES];
    field->version = type->tp_version_tag;
    field->offset = directly && member != NULL ? (int)member->offset : PEG_NOWHERE;
}

/* Whether a `msgspec.Struct` is not frozen. */
static int
may_change(PyTypeObject *type)
{
    int may = 0;
    PyObject *config = PyObject_GetAttrString((PyObject *)type, "__struct_config__");
    if (config != NULL) {
        PyObject *frozen = PyObject_GetAttrString(config, "frozen");
        may = frozen == Py_False;
        Py_XDECREF(frozen);
        Py_DECREF(config);
    }
    PyErr_Clear();
    return may;
}

/* Whether a write of a field does nothing but store: that of a class with `__slots__`, or of a
   `msgspec.Struct` which the garbage collector never looks at and no `__setattr__` guards. */
static int
stores_plainly(PyTypeObject *type)
{
    static PyObject *setter_name = NULL;
    if (type->tp_setattro == PyObject_GenericSetAttr) {
        return 1;
    }
    if (setter_name == NULL && (setter_name = PyUnicode_InternFromString("__setattr__")) == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyObject *setter = _PyType_Lookup(type, setter_name);
    return !PyType_IS_GC(type) && setter != NULL && Py_IS_TYPE(setter, &PyWrapperDescr_Type) &&
           may_change(type);
}

PyObject *
peg_read_slowly(PegPlace *place, PyObject *object, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(object);
    remember(place, type, name, type->tp_getattro == PyObject_GenericGetAttr);
    return PyObject_GetAttr(object, name);
}

int
peg_write_slowly(PegPlace *place, PyObject *object, PyObject *name, PyObject *value)
{
    if (value != NULL && peg_find(place, object, name) == NULL) {
        remember(place, Py_TYPE(object), name, stores_plainly(Py_TYPE(object)));
    }
    return PyObject_SetAttr(object, name, value);
}

#if PY_VERSION_HEX < 0x030C0000

PyObject *
peg_get_item_slowly(PegGlobal *place, PyObject *dict, PyObject *key)
{
    PyObject *value = CPyDict_GetItem(dict, key);
    place->changes++;
    if (value != NULL && PyDict_CheckExact(dict)) {
        Py_INCREF(key);
        Py_XSETREF(place->key, key);
        place->value = value;
        place->version = ((PyDictObject *)dict)->ma_version_tag;
    }
    return value;
}

#endif
#endif
