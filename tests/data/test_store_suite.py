"""Every kind of storage passes the shipped suite, against the real servers."""

from __future__ import annotations

import pytest

from scriptrun.data.stores.web import WebStore, address
from scriptrun.testing.stores import ReadingSuite, StoreSuite


class TestLocal(StoreSuite):
    @pytest.fixture
    def store(self, local_store):
        return local_store.store


class TestForeign(StoreSuite):
    @pytest.fixture
    def store(self, foreign_store):
        return foreign_store.store


@pytest.mark.stores
class TestSftp(StoreSuite):
    test_writers_at_once = None  # SFTP has no atomic write, and the driver none of its own

    @pytest.fixture
    def store(self, sftp_store):
        return sftp_store.store


@pytest.mark.stores
class TestBlob(StoreSuite):
    @pytest.fixture
    def store(self, blob_store):
        return blob_store.store

    @pytest.mark.slow
    def test_a_list_of_more_than_a_page(self, store, tmp_path):
        self.listed = 5_010  # Azure's pages have 5,000
        self.test_a_list_of_several_pages(store, tmp_path)


@pytest.mark.stores
class TestS3(StoreSuite):
    heeds_new = False  # rclone's server ignores If-None-Match
    listed = 2_010  # three pages

    @pytest.fixture
    def store(self, s3_store):
        return s3_store.store


@pytest.mark.ceph
@pytest.mark.slow
@pytest.mark.stores
@pytest.mark.xdist_group("ceph")
class TestCeph(StoreSuite):
    listed = 1_050

    @pytest.fixture
    def store(self, ceph_store):
        return ceph_store.store


class TestWeb(ReadingSuite):
    @pytest.fixture
    def store(self, web):
        self.files = web.files
        return WebStore("web", web.address)

    def put(self, store, path, data):
        self.files[address("", path)] = data
        return store.stat(path)
